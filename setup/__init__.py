"""Makes a checkout ready for work: system packages, Python, Pulumi.

Standard library only: it runs before all else.
"""
