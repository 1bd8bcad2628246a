"""The library on the screen: the list of sessions, the search over all of them, and what is under the cursor."""
