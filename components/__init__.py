"""The blueprint's parts as Pulumi components."""
