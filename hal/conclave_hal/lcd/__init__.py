"""A panel of 20 x 4 characters on a serial wire: Crystalfontz CFA635 and its relatives.

`packets` and `link` speak its protocol, `charset` knows what its character ROM can show, `pages` lays a
view out on four lines, and `panel` is the driver.
"""
