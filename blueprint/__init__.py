"""What a site is made of, as data: `blueprint.site.things`. Pure; everything that acts on a site works from it."""
