"""Writes slots.tsv: what schedules are expected to fire, worked out without croner and jiff.

    python3 generate.py > slots.tsv

Each row: expression, zone, a moment, and the next slots after it, all in UTC. Slots are found by
listing every time on the clock that an expression names and looking each up in Python's zoneinfo:

* a time that does not exist is the first moment after the gap for an expression with one second,
  one minute and one hour, if that moment is on a day of the expression and the gap is no longer
  than two hours; for any other expression, and in a longer gap, it is no slot;
* a time that comes twice is a slot the first time for such an expression, both times for others.
"""

import calendar
import random
import sys
from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()
DAYS = "SUN MON TUE WED THU FRI SAT".split()
NICKNAMES = {
    "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0", "@daily": "0 0 * * *", "@hourly": "0 * * * *",
}
SLOTS = 5
LONG_GAP = timedelta(hours=2)


def number(text, names, first):
    return names.index(text.upper()) + first if text.upper() in names else int(text)


def numbers(field, low, high, names=(), first=0):
    found = set()
    for part in field.split(","):
        body, _, step = part.partition("/")
        if body in "*?":
            start, end = low, high
        elif "-" in body:
            start, end = (number(side, names, first) for side in body.split("-"))
        else:
            start = end = number(body, names, first)
        found.update(range(start, end + 1, int(step or 1)))
    return found


def month_days(field, year, month):
    last = calendar.monthrange(year, month)[1]
    found = set()
    for part in field.split(","):
        if part == "L":
            found.add(last)
        elif part.endswith("W"):
            day = int(part[:-1])
            if day <= last:
                weekday = date(year, month, day).isoweekday()
                if weekday == 6:
                    day += -1 if day > 1 else 2
                elif weekday == 7:
                    day += 1 if day < last else -2
                found.add(day)
        else:
            found.update(day for day in numbers(part, 1, 31) if day <= last)
    return found


def week_days(field, year, month):
    last = calendar.monthrange(year, month)[1]
    found = set()
    for part in field.split(","):
        body, _, nth = part.partition("#")
        if not nth and len(body) > 1 and body.endswith("L"):
            body, nth = body[:-1], "L"
        wanted = {day % 7 for day in numbers(body, 0, 7, DAYS, 0)}
        for day in range(1, last + 1):
            if date(year, month, day).isoweekday() % 7 not in wanted:
                continue
            if nth == "L" and day + 7 <= last:
                continue
            if nth and nth != "L" and (day - 1) // 7 + 1 != int(nth):
                continue
            found.add(day)
    return found


class Expression:
    def __init__(self, text):
        fields = NICKNAMES.get(text, text).split()
        if len(fields) == 5:
            fields.insert(0, "0")
        self.fixed = all(field.isdigit() for field in fields[:3])
        self.times = sorted(
            timedelta(hours=h, minutes=m, seconds=s)
            for h in numbers(fields[2], 0, 23)
            for m in numbers(fields[1], 0, 59)
            for s in numbers(fields[0], 0, 59)
        )
        self.of_month, self.months, self.of_week = fields[3], fields[4], fields[5]
        self.days = {}

    def names(self, day):
        month = (day.year, day.month)
        if month not in self.days:
            self.days[month] = self.days_of(*month)
        return day.day in self.days[month]

    def days_of(self, year, month):
        if month not in numbers(self.months, 1, 12, MONTHS, 1):
            return set()
        both, of_week = self.of_week.startswith("+"), self.of_week.lstrip("+")
        by_month, by_week = month_days(self.of_month, year, month), week_days(of_week, year, month)
        if of_week in "*?":
            return by_month
        if self.of_month in "*?":
            return by_week
        return by_month & by_week if both else by_month | by_week


def instants(local, zone, expression):
    """The moments at which a time on the clock is a slot."""
    both = [local.replace(tzinfo=zone, fold=fold).astimezone(timezone.utc) for fold in (0, 1)]
    real = [at for at in both if at.astimezone(zone).replace(tzinfo=None, fold=0) == local]
    if real:
        return [min(real)] if expression.fixed else sorted(set(real))
    # In a gap the two readings stand on either side of it, as far apart as the gap is long.
    low, high = min(both), max(both)
    if not expression.fixed or high - low > LONG_GAP:
        return []
    before = low.astimezone(zone).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) // 2
        middle = middle.replace(microsecond=0)
        if middle.astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return [high] if expression.names(high.astimezone(zone).date()) else []


def slots_after(text, zone_name, moment):
    expression, zone = Expression(text), ZoneInfo(zone_name)
    day = moment.astimezone(zone).date() - timedelta(days=2)
    found = set()
    for _ in range(366 * 30):
        # Two days more: a day's slots can only be a little out of place.
        if len(found) >= SLOTS and day > sorted(found)[SLOTS - 1].date() + timedelta(days=2):
            break
        if expression.names(day):
            midnight = datetime(day.year, day.month, day.day)
            for time in expression.times:
                for at in instants(midnight + time, zone, expression):
                    if at > moment:
                        found.add(at)
        day += timedelta(days=1)
    return sorted(found)[:SLOTS]


# Each zone with moments before its changes, and times on the clock near them.
ZONES = {
    "Europe/Berlin": ["2026-03-28T20:00", "2026-10-24T20:00", "2024-02-27T00:00"],
    "America/New_York": ["2026-03-07T20:00", "2026-10-31T20:00", "2027-12-30T00:00"],
    # Half an hour of summer time.
    "Australia/Lord_Howe": ["2026-04-04T05:00", "2026-10-03T05:00", "2025-06-15T12:34"],
    # Lost 30 December 2011; had summer time until 2021.
    "Pacific/Apia": ["2011-12-29T00:00", "2020-04-04T00:00", "2020-09-26T00:00"],
    # Winter time in Ramadan only.
    "Africa/Casablanca": ["2024-03-09T12:00", "2024-04-13T12:00", "2025-02-22T12:00"],
    # Changed its clock at midnight until 2019.
    "America/Sao_Paulo": ["2018-11-03T12:00", "2019-02-16T12:00", "2026-05-01T00:00"],
}
EXPRESSIONS = [
    "0 0 * * *", "30 0 * * *", "30 1 * * *", "0 2 * * *", "15 2 * * *", "30 2 * * *", "0 3 * * *",
    "30 3 * * *", "0 4 * * *", "59 23 * * *", "0 12 * * *", "*/15 * * * *", "*/20 1-3 * * *",
    "15,45 2 * * *", "30 1,2,3 * * *", "0 * * * *", "@hourly", "@daily", "@weekly", "@monthly",
    "@yearly", "30 2 * * 0", "0 7 * * 1-5", "0 7 * * MON-FRI", "0 9 L * *", "0 9 15W * *",
    "0 9 1W * *", "0 9 * * 5L", "0 9 * * FRI#2", "0 9 * * 1#1", "0 0 13 * 5", "0 0 13 * +FRI",
    "0 0 29 2 *", "30 30 2 * * *", "*/10 * * * * *", "0 0 */2 * * *", "0 30 2 1,15 * *",
    "0 8 1 JAN,JUL *", "5-10/2 3 * * *", "0 22 * * 7", "0 0 31 * *",
]
DENSE = {"*/10 * * * * *"}


def main():
    pick = random.Random(2026)
    print("# expression\tzone\tfrom\tslots; written by generate.py")
    for zone, moments in ZONES.items():
        for moment in moments:
            start = datetime.fromisoformat(moment).replace(tzinfo=timezone.utc)
            for text in pick.sample(EXPRESSIONS, 24):
                at = start + timedelta(seconds=pick.randrange(0, 3600))
                if text in DENSE:
                    at += timedelta(hours=pick.randrange(2, 8))
                slots = " ".join(f"{slot:%Y-%m-%dT%H:%M:%SZ}" for slot in slots_after(text, zone, at))
                sys.stdout.write(f"{text}\t{zone}\t{at:%Y-%m-%dT%H:%M:%SZ}\t{slots}\n")


if __name__ == "__main__":
    main()
