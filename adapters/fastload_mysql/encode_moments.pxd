# Days, moments, times and intervals as text.
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.string cimport memcpy

from fastload.kernels.encode_input cimport (
    NO_FAULT, NO_ROOM, NOT_WHOLE, FaultCode, Input, Out, load_days, load_micros
)
from fastload_mysql.encode_fields cimport Form, form_of, has_room
from fastload_mysql.encode_numbers cimport put_magnitude, store_digits, store_four, store_pair

cdef enum:
    DAYS_BEFORE_1970 = 719468  # from 0000-03-01
    MOST_INTERVAL = 200        # characters, and the room that numbers want


cdef inline char* store_date(char* at, uint32_t days) noexcept nogil:
    """Write a day that is counted from 0000-03-01.

    Years begin in March, so that the leap day is a year's last, and so of four years, of a century
    and of four centuries.
    """
    cdef uint32_t era = days // 146097, of_era = days - 146097 * era
    cdef uint32_t year_of_era = (
        of_era - of_era // 1460 + of_era // 36524 - of_era // 146096
    ) // 365
    cdef uint32_t of_year = of_era - (
        365 * year_of_era + year_of_era // 4 - year_of_era // 100
    )
    cdef uint32_t month = (5 * of_year + 2) // 153
    cdef uint32_t day = of_year - (153 * month + 2) // 5 + 1
    month = month + 3 if month < 10 else month - 9
    store_four(at, 400 * era + year_of_era + (month <= 2))
    at[4] = at[7] = c"-"
    store_pair(at + 5, month)
    store_pair(at + 8, day)
    return at + 10


cdef inline char* store_clock(char* at, uint32_t seconds) noexcept nogil:
    """Write minutes and seconds behind an hour."""
    at[0] = at[3] = c":"
    store_pair(at + 1, seconds // 60 % 60)
    store_pair(at + 4, seconds % 60)
    return at + 6


cdef inline FaultCode put_fraction(const Form* form, uint32_t micros, Out* out) noexcept nogil:
    """Write what of a second is left, if anything is."""
    if micros == 0:
        return NO_FAULT
    out.at[0] = c"."
    store_pair(out.at + 1, micros // 10000)
    store_four(out.at + 3, micros % 10000)
    # Digits that the column has no place for must be zeros.
    if form.step != 1 and micros % form.step:
        return NOT_WHOLE
    out.at += 1 + form.fraction
    return NO_FAULT


cdef inline FaultCode put_date(const Input* input, int64_t row, Out* out) noexcept nogil:
    cdef int64_t days = 0
    cdef FaultCode fault = load_days(input, row, &days)
    if fault != NO_FAULT:
        return fault
    if not has_room(out, 10):
        return NO_ROOM
    out.at = store_date(out.at, <uint32_t>(days + DAYS_BEFORE_1970))
    return NO_FAULT


cdef inline FaultCode put_moment(const Input* input, int64_t row, Out* out) noexcept nogil:
    """Write a day and its time."""
    cdef int64_t micros = 0
    cdef uint64_t seconds
    cdef uint32_t days, of_day
    cdef FaultCode fault = load_micros(input, row, &micros)
    if fault != NO_FAULT:
        return fault
    if not has_room(out, 26):
        return NO_ROOM
    micros += DAYS_BEFORE_1970 * <int64_t>86400000000LL
    seconds = <uint64_t>micros // 1000000
    days = <uint32_t>(seconds // 86400)
    of_day = <uint32_t>(seconds - <uint64_t>86400 * days)
    out.at = store_date(out.at, days)
    out.at[0] = c" "
    store_pair(out.at + 1, of_day // 3600)
    out.at = store_clock(out.at + 3, of_day)
    return put_fraction(form_of(input), <uint32_t>(micros - 1000000 * seconds), out)


cdef inline FaultCode put_time(const Input* input, int64_t row, Out* out) noexcept nogil:
    """Write hours, which may be negative or more than a day has, minutes and seconds."""
    cdef int64_t micros = 0
    cdef uint32_t seconds
    cdef uint64_t size
    cdef int32_t digits
    cdef FaultCode fault = load_micros(input, row, &micros)
    if fault != NO_FAULT:
        return fault
    if not has_room(out, 17):
        return NO_ROOM
    size = magnitude(micros)
    seconds = <uint32_t>(size // 1000000)
    out.at[0] = c"-"
    out.at += micros < 0
    digits = 3 if seconds >= 360000 else 2
    store_digits(out.at, seconds // 3600, digits)
    out.at = store_clock(out.at + digits, seconds)
    return put_fraction(form_of(input), <uint32_t>(size % 1000000), out)


cdef inline FaultCode put_interval(const Input* input, int64_t row, Out* out) noexcept nogil:
    """Write months, days and nanoseconds as ISO 8601 does, each of the three with its own sign."""
    cdef const char* values = input.values + 16 * (row + input.first)
    cdef char* start = out.at
    cdef int32_t months, days
    cdef int64_t nanos
    cdef uint64_t count
    if not has_room(out, MOST_INTERVAL):
        return NO_ROOM
    memcpy(&months, values, 4)
    memcpy(&days, values + 4, 4)
    memcpy(&nanos, values + 8, 8)
    out.at[0] = c"P"
    out.at += 1
    count = magnitude(months)
    put_unit(out, count // 12, months < 0, c"Y")
    put_unit(out, count % 12, months < 0, c"M")
    put_unit(out, magnitude(days), days < 0, c"D")
    if nanos or out.at - start == 1:
        put_clock_units(out, magnitude(nanos), nanos < 0)
    return NO_FAULT


cdef inline uint64_t magnitude(int64_t value) noexcept nogil:
    return 0 - <uint64_t>value if value < 0 else <uint64_t>value


cdef inline void put_clock_units(Out* out, uint64_t nanos, bint negative) noexcept nogil:
    out.at[0] = c"T"
    out.at += 1
    put_unit(out, nanos // 3600000000000ULL, negative, c"H")
    put_unit(out, nanos // 60000000000ULL % 60, negative, c"M")
    if nanos == 0 or nanos % 60000000000ULL:
        put_seconds(out, nanos % 60000000000ULL, negative)


cdef inline void put_unit(Out* out, uint64_t value, bint negative, char unit) noexcept nogil:
    if value:
        put_magnitude(value, negative, out)
        out.at[0] = unit
        out.at += 1


cdef inline void put_seconds(Out* out, uint64_t nanos, bint negative) noexcept nogil:
    """Write less than a minute, to the last digit that is not zero."""
    put_magnitude(nanos // 1000000000, negative, out)
    if nanos % 1000000000:
        out.at[0] = c"."
        store_digits(out.at + 1, nanos % 1000000000, 9)
        out.at += 10
        while (out.at - 1)[0] == c"0":
            out.at -= 1
    out.at[0] = c"S"
    out.at += 1
