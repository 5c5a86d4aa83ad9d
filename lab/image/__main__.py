"""`python -m lab.image` builds the image when it is missing and says where it is."""

import sys
from dataclasses import fields

from lab.image import ImageError, ensure


def main() -> int:
    """Print the image's parts, one a line."""
    try:
        image = ensure(lambda line: print(line, file=sys.stderr, flush=True))
    except ImageError as error:
        print(error, file=sys.stderr)
        return 1
    for field in fields(image):
        print(f"{field.name}: {getattr(image, field.name)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
