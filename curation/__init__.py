"""The records and the flow: tables, verbs, API and pages of every stage."""
