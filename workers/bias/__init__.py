"""What preferences go by besides what the responses say: one signal a file, counted while rows stream by.

rows.py      what goes in: decided pairs, and answers as they were given
counting.py  how much of what was chosen has a property, against what was not
"""
