"""What runs on the nodes: a stand-in for SIOS LifeKeeper, for the lab only. Standard library only.

It takes the command lines of the grammar, fails every other, and has real effects. It proves our side of the
conversation, not LifeKeeper's: where nobody published what LifeKeeper does, the word `unknown` stands in a comment.
"""

VERSION = "0.1 (stand-in of the squid-ha lab, not SIOS LifeKeeper)"
ROOT = "/opt/LifeKeeper"
CONFIG = f"{ROOT}/config"
SOCKET = "/run/lifekeeper.socket"
LOG = "/var/log/lifekeeper.log"
PORT = 7365
