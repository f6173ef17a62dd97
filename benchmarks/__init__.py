"""Speed beside other tools, the fit of the speed model, and the measures of the code."""
