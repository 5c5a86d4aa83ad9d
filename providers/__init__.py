"""How one thing is read on its hosts and made true there: a module per thing, none of which knows Pulumi."""
