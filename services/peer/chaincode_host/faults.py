"""What may be logged about an exception that somebody's code raised."""

import traceback

FRAMES_MAX = 8


def describe(error: BaseException) -> str:
    """The exception's type and where it came from, innermost first. Not what it says: that may hold a secret."""
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES_MAX:]
    where = " < ".join(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in reversed(frames))
    return f"{type(error).__name__} at {where}"
