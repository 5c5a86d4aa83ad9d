"""Sites at a glance: service tree, mirror, clocks, notices; on a page also the last drill and drift."""

from operations.overview.impatient import Pauses, impatient
from operations.overview.model import Overview
from operations.overview.page import page
from operations.overview.read import Reading, read, unread
from operations.overview.show import render, render_beside

__all__ = ["Overview", "Pauses", "Reading", "impatient", "page", "read", "render", "render_beside", "unread"]
