"""Tables on paper: values of a verb as CSV, as an Excel workbook and as a page to print."""
