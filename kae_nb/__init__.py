__version__ = "0.1.0"

# name: its module, which is imported when it is asked for
_ESTIMATORS = {'KAE': 'estimator', 'KAEDetector': 'anomaly'}


def __getattr__(name):
    if name not in _ESTIMATORS:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    from importlib import import_module

    return getattr(import_module(f'{__name__}.{_ESTIMATORS[name]}'), name)


def __dir__():
    return sorted([*globals(), *_ESTIMATORS])
