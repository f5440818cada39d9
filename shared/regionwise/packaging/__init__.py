"""Pack trained bundles, verify them, export them and share them; each command is a module of its own."""
