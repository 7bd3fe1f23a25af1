"""The page: everything that a person needs to see themselves move, in the browser."""
