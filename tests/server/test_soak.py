# SPDX-License-Identifier: GPL-3.0-or-later
"""The short form of tests/soak."""

from harness import soak
from harness.case import SEED


class OneMinute(soak.Soak):
    cost = 20

    def test_a_minute_of_everything(self):
        "random changes on both servers, passes, kills and cut connections for a minute: each round both are equal"
        figures = self.soak(SEED, 0.8)
        print(dict(figures))
        self.assertGreater(figures["rounds"], 3)
        self.assertEqual((figures["lost"], figures["doubled"]), (0, 0))



