"""Tools around MONAI bundles: lint, pack, verify, share."""
