"""The cleaner service: judges raw rows, quarantines what fails, forwards the rest."""
