"""Drills: a site is disturbed on purpose while clients ask, and what it claims is held against what was seen.

`scenarios/` says what happens, step by step, and knows no host; `runner` makes the steps real; `judge` holds what was
seen against the site's stated bounds. `site.drill` does it all for one site.
"""
