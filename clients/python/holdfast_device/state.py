"""What waits in a queue: what the entries of its file mean, one after the other."""

from collections import namedtuple

from . import format as fmt

MOST_RANGES = 32768

Live = namedtuple("Live", "offset size region age")


class Age:
    """Time that passed, by a clock that may be wrong by years; a leap counts nothing."""

    def __init__(self, longest_millis):
        self.longest, self.last, self.passed = longest_millis, None, 0

    def observe(self, millis):
        if self.last is not None and 0 <= millis - self.last <= self.longest:
            self.passed += millis - self.last
        self.last = millis
        return self.passed / 1000


class Losses:
    """Numbers that expired, were dropped or rejected, in ranges that ascend and do not overlap."""

    def __init__(self):
        self.ranges = []

    def _at(self, number):
        """How many ranges begin at or below a number."""
        low, high = 0, len(self.ranges)
        while low < high:
            middle = (low + high) // 2
            if self.ranges[middle].first <= number:
                low = middle + 1
            else:
                high = middle
        return low

    def overlaps(self, one):
        below = self._at(one.last)
        return below > 0 and self.ranges[below - 1].last >= one.first

    def add(self, one):
        at = self._at(one.first)
        if at and self.ranges[at - 1].last + 1 == one.first:
            if self.ranges[at - 1].reason == one.reason:
                at -= 1
                one = fmt.Range(one.reason, self.ranges.pop(at).first, one.last)
        if at < len(self.ranges) and self.ranges[at].first == one.last + 1:
            if self.ranges[at].reason == one.reason:
                one = fmt.Range(one.reason, one.first, self.ranges.pop(at).last)
        self.ranges.insert(at, one)
        if len(self.ranges) > MOST_RANGES:
            half = MOST_RANGES // 2
            merged = fmt.Range(fmt.DROPPED, self.ranges[0].first, self.ranges[half - 1].last)
            del self.ranges[:half]
            self.add(merged)

    def done(self, last):
        at = self._at(last)
        cut = self.ranges[at - 1] if at else None
        del self.ranges[:at]
        if cut and cut.last > last:
            self.ranges.insert(0, fmt.Range(cut.reason, last + 1, cut.last))

    def tell(self, first, last):
        """What became of numbers, none of which waits; what is not here was collapsed."""
        at = max(0, self._at(first) - 1)
        while first <= last:
            while at < len(self.ranges) and self.ranges[at].last < first:
                at += 1
            one = self.ranges[at] if at < len(self.ranges) else None
            if one and one.first <= first:
                end, reason = min(last, one.last), one.reason
            else:
                end, reason = min(last, one.first - 1) if one else last, fmt.COLLAPSED
            yield fmt.Range(reason, first, end)
            first = end + 1


class State:
    """What the entries of a file mean, one after the other."""

    def __init__(self, following, max_age_seconds):
        self.first = self.following = following
        self.live = {}  # sequence -> Live, ascending
        self.latest = {}  # key region -> sequence
        self.bytes = 0
        self.losses = Losses()
        self.pending = None
        self.doubted = 0
        self.age = Age(max_age_seconds * 1000)
        self.lost_count = {fmt.COLLAPSED: 0, fmt.EXPIRED: 0, fmt.DROPPED: 0, fmt.REJECTED: 0}

    def unbatched(self, sequence):
        return self.pending is None or sequence > self.pending.claim.last

    def first_unbatched(self):
        return next((s for s in self.live if self.unbatched(s)), None)

    def remove(self, sequence):
        one = self.live.pop(sequence)
        self.bytes -= one.size
        if self.latest.get(one.region) == sequence:
            del self.latest[one.region]

    def accepted(self, millis, offset, size, region):
        earlier = self.latest.get(region)
        if earlier is not None and self.unbatched(earlier):
            self.remove(earlier)
            self.lost_count[fmt.COLLAPSED] += 1
        self.live[self.following] = Live(offset, size, region, self.age.observe(millis))
        self.latest[region] = self.following
        self.bytes += size
        self.following += 1

    def lost(self, one):
        claim = self.pending.claim if self.pending else None
        ends = claim and one.reason == fmt.REJECTED and claim.first <= one.first
        ends = ends and one.last <= claim.last
        floor = max(self.first, claim.last + 1 if claim and not ends else 0)
        if one.first < floor or (one.last >= self.following and one.first != self.following):
            return "%s does not lie in what waits" % (one,)
        if one.reason != fmt.COLLAPSED and self.losses.overlaps(one):
            return "%s tells again of what is lost" % (one,)
        if one.first == self.following:
            self.following = one.last + 1
            gone = one.count
        else:
            if one.count <= 16:
                found = [s for s in range(one.first, one.last + 1) if s in self.live]
            else:
                found = [s for s in self.live if one.first <= s <= one.last]
            for sequence in found:
                self.remove(sequence)
            gone = len(found)
        if one.reason != fmt.COLLAPSED:
            self.losses.add(one)
        self.lost_count[one.reason] += gone
        if ends:
            self.drop_pending()
        return None

    def batched(self, signed):
        claim = signed.claim
        if claim.first < self.first or claim.last >= self.following:
            return "a batch of %d to %d" % (claim.first, claim.last)
        if claim.first > self.first:
            self._forget(claim.first - 1)
        self.pending = signed
        return None

    def done(self, last):
        if last >= self.following:
            return "done up to %d" % last
        self._forget(last)
        self.doubted = 0
        return None

    def _forget(self, last):
        gone = []
        for sequence in self.live:
            if sequence > last:
                break
            gone.append(sequence)
        for sequence in gone:
            self.remove(sequence)
        self.losses.done(last)
        self.first = max(self.first, last + 1)
        if self.pending and self.pending.claim.first <= last:
            self.drop_pending()

    def drop_pending(self):
        """Gives the batch up: its operations collapse as if they had never been in one.

        Whoever reads a file that was made anew cannot know that they were.
        """
        if self.pending is None:
            return
        last, self.pending, gone = self.pending.claim.last, None, []
        for sequence, one in self.live.items():
            if sequence > last:
                break
            if self.latest.get(one.region) != sequence:
                gone.append(sequence)
        for sequence in gone:
            self.remove(sequence)
            self.lost_count[fmt.COLLAPSED] += 1

    def doubt(self):
        self.doubted = self.doubted or self.following

    def draft(self, most_operations, most_bytes):
        ranges, taken, covered, size = [], [], self.first - 1, 0
        for sequence in list(self.live) + [None]:
            end = self.following if sequence is None else sequence
            for one in self.losses.tell(covered + 1, end - 1):
                if len(ranges) == fmt.MAX_ITEMS:
                    return covered, ranges, taken
                ranges.append(one)
                covered = one.last
            if sequence is None or len(taken) == most_operations:
                return covered, ranges, taken
            entry_size = self.live[sequence].size
            if taken and size + entry_size > most_bytes:
                return covered, ranges, taken
            taken.append(sequence)
            size += entry_size
            covered = sequence
        return covered, ranges, taken
