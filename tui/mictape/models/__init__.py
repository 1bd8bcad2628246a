"""Models that run on this machine: which there are, which are installed, how they are fetched and chosen."""
