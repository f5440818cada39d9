def entries(cache):
    return sorted(path.name for path in cache.iterdir())


def keys_of(cases):
    return [case.folder.name for case in cases]
