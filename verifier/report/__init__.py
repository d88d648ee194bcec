"""Views of a signed report. Pure: a report in, text out. The signed envelope is the truth; every view names its digest."""
