"""How long things take, in minutes, on 2 cores without KVM.

Doctor shows them before, the test runner beside the real ones.
"""

from __future__ import annotations

FIRST_RUN = {
    "setup, official Pulumi": 1.0,
    "setup, Pulumi built from source": 5.0,
    "lab image": 1.5,
    "lab start": 1.0,
    "pulumi up": 10.0,
    "demo's moves and proof": 3.0,
}

STAGES = {
    "check": 2.0,
    "thorough": 3.0,
    "hosts": 11.5,
    "cluster": 22.0,
}
"""The stages of `make test`: 38.5 minutes together. What a stage has no time for, another run takes (`SPARE`)."""

SPARE = {
    "hosts": 8.0,
    "cluster": 18.0,
}
"""After how many minutes of its stage no further test that is marked ``spare`` is begun; such a one takes 2 to 4."""
