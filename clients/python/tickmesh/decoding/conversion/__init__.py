"""Raw values to the values of schema fields: exact, in columns, every change counted."""
