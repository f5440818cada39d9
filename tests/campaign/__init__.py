"""A campaign of bad input against the commands, the readers, the runner and `verify`: ``scripts/campaign.sh``."""
