"""The names in every user's state are frozen: adding is fine, renaming or taking away is not."""

from blueprint import names
from blueprint.engines.pacemaker import tree
from providers.kinds import KINDS


def test_resource_names_of_released_states_are_all_there():
    released = {
        "node-1", "node-2", "packages", "names", "time", "squid-config", "squid-agent", "rotation", "mirror",
        "filesystem", "sbd", "membership", "fencing", "options", "reachability", "tree-mirror", "tree-filesystem",
        "tree-squid", "tree-address", "firewall", "squid-profile", "lifekeeper", "paths", "alerts", "cluster-alerts",
    }  # fmt: skip
    assert released <= set(names.ALL), "a name that users' states contain was renamed or removed"


def test_kinds_and_tokens_of_released_states_are_all_there():
    released = {
        "host.node": ("host", "Node"),
        "host.packages": ("host", "Packages"),
        "host.names": ("host", "Names"),
        "host.time": ("host", "Time"),
        "host.settings": ("host", "Settings"),
        "host.firewall": ("host", "Firewall"),
        "squid.config": ("squid", "Config"),
        "storage.mirror": ("storage", "Mirror"),
        "storage.filesystem": ("storage", "Filesystem"),
        "pacemaker.sbd": ("pacemaker", "Sbd"),
        "pacemaker.membership": ("pacemaker", "Membership"),
        "pacemaker.options": ("pacemaker", "Options"),
        "pacemaker.member": ("pacemaker", "Member"),
        "lifekeeper.node": ("lifekeeper", "Node"),
        "lifekeeper.paths": ("lifekeeper", "Paths"),
        "lifekeeper.mirror": ("lifekeeper", "Mirror"),
        "lifekeeper.filesystem": ("lifekeeper", "Filesystem"),
        "lifekeeper.service": ("lifekeeper", "Service"),
        "lifekeeper.ip": ("lifekeeper", "Ip"),
        "lifekeeper.generic": ("lifekeeper", "Generic"),
        "host.secret_settings": ("host", "SecretSettings"),
        "pacemaker.alerts": ("pacemaker", "Alerts"),
        "pacemaker.found": ("pacemaker", "Found"),
        "pacemaker.found_options": ("pacemaker", "FoundOptions"),
        "storage.found": ("storage", "Found"),
    }
    found = {kind: (entry.token_module, entry.token_name) for kind, entry in KINDS.items()}
    assert released.items() <= found.items(), "a kind or type token that users' states contain has changed"


def test_identifiers_in_the_cluster_are_those_of_released_sites():
    members = (tree.MIRROR, tree.MIRROR_CLONE, tree.FILESYSTEM, tree.SQUID, tree.ADDRESS, tree.REACHABILITY)
    assert members == ("mirror", "mirror-clone", "filesystem", "squid", "address", "reachability")
