"""What watches a rack: scrape targets, alert rules, dashboards, and the containers. Pure."""
