"""A stand-in for SIOS LifeKeeper, for hosts of the lab: `node` runs there, `media` is what it is installed from."""

from lab.lifekeeper.media import LICENCE, MEDIA, ensure, make, packed, provide

__all__ = ["LICENCE", "MEDIA", "ensure", "make", "packed", "provide"]
