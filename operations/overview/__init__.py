"""Sites at a glance: service tree, mirror, clocks, notices; on a page also the last drill and drift."""

from operations.overview.model import Overview
from operations.overview.page import page
from operations.overview.read import read, unread
from operations.overview.show import render

__all__ = ["Overview", "page", "read", "render", "unread"]
