"""Files that items name: fetched by the crawl, and put where the item says."""
