"""The page that takes a network apart in a browser: one HTML file, which works offline."""
