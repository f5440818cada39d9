"""logging.conf of a bundle: `logging.config.fileConfig` evaluates parts of it as Python."""

import configparser
from collections.abc import Iterator

from .names import as_shown

# Section options that are evaluated, or choose what is. Only a stream can be written to: a handler of files would
# write any text to any file.
CLASSES = ("StreamHandler", "logging.StreamHandler")
ARGUMENTS = ("(sys.stdout,)", "(sys.stderr,)", "()")


def find_logging_code(content: bytes) -> Iterator[str]:
    """Yield one line per option of a logging file that may run code or write a file.

    Args:
        content: the file, as `logging.config.fileConfig` reads it.
    """
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(content.decode("ascii"))
    except (configparser.Error, UnicodeDecodeError) as error:
        yield f"cannot be read ({as_shown(error)})"
        return
    if parser.defaults():
        yield f"[DEFAULT]: {as_shown(', '.join(parser.defaults()))} (values for all sections)"
    for section in parser.sections():
        for option, value in parser.items(section):
            if not _is_harmless(section, option, value):
                yield f"[{as_shown(section)}] {as_shown(option)}: {as_shown(value)} (evaluated as Python)"


def _is_harmless(section: str, option: str, value: str) -> bool:
    if option == "class":
        return value.strip() in CLASSES and section.startswith("handler_")
    if option in ("args", "kwargs"):
        return value.replace(" ", "") in (*ARGUMENTS, "{}") and section.startswith("handler_")
    return True
