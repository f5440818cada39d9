"""Check a study before its first job: the losses and the settings of every cell, and what its size can show."""

from pathlib import Path

from regionwise.errors import InputError
from regionwise.evaluation import detectable_difference
from regionwise.files import read_json
from regionwise.losses import make_loss

# Of the Dice of two losses over patients, and of one loss between seeds: measured with the hippocampus preset (medians
# of pairs and of losses, mean of both structures).
SD_DIFFERENCE, SD_SEED = 0.026, 0.024


def check(out: Path) -> None:
    """Check the losses of a study and print its size and the difference of Dice that it can show.

    Raises:
        InputError: If a loss is unknown.
    """
    study = read_json(out / "study.json")
    for name, loss in dict.fromkeys((cell["method"], cell["loss"]) for cell in study["cells"].values()):
        try:
            make_loss(loss)
        except InputError as error:
            raise InputError(f"loss '{name}' of preset '{study['preset']}': {error}") from error
    cells = study["cells"].values()
    seeds = len({cell["seed"] for cell in cells})
    print(f"{len(cells)} cells: {len({c['dataset'] for c in cells})} datasets, {len({c['method'] for c in cells})} "
          f"losses, {seeds} seeds")  # fmt: skip
    for patients in (20, 50, 100):
        difference = detectable_difference(patients, seeds, SD_DIFFERENCE, SD_SEED)
        print(f"with {seeds} seeds x {patients} patients you can see Dice differences of {difference:.3f} "
              f"(power 80 %; SD {SD_DIFFERENCE} over patients, {SD_SEED} between seeds)")  # fmt: skip
