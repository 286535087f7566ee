"""The playground: a page on loopback on which definitions and a notification are edited and explained as one types.

`sessions` is what the page begins with, `evaluating` what it is told of an edit, `server` what hands it out. What it
shows in a browser is in page/: HTML, CSS and JavaScript modules as they are served, without a step that builds them.
"""
