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
    "thorough": 4.0,
    "hosts": 16.0,
    "cluster": 35.0,
}
"""The stages of `make test`; with what a fresh machine builds first they must stay under 70 minutes together."""
