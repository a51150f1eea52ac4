"""One HTML file that labels pictures in a browser, without a network."""
