"""The report of an evaluation: one offline HTML file with plots and overlays."""
