"""`nn inspect-gradients`: what is asked, what is found, and how it is shown: as text, as JSON, as a page."""
