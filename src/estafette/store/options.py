"""A submission's options as they are stored: JSON of what differs from the default."""

import msgspec

from estafette.model import Options

_DEFAULTS = Options()


def encode_options(options: Options) -> str:
    """JSON of what differs from the default."""
    if options == _DEFAULTS:
        return "{}"
    given = {name: value for name in Options.__dataclass_fields__ if (value := getattr(options, name)) != getattr(_DEFAULTS, name)}
    return msgspec.json.encode(given).decode()


_OPTIONS = msgspec.json.Decoder(Options)


def decode_options(text: str) -> Options:
    """The inverse of `encode_options`."""
    return _DEFAULTS if text == "{}" else _OPTIONS.decode(text)
