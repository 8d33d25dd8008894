namespace LookaheadKV.Jinja;

/// <summary>Python's <c>sorted</c>: stable, and asking for nothing but "less than". .NET's own sorts are not stable or hide what a comparison throws.</summary>
internal static class Sorting
{
    /// <param name="machine">Counts the comparisons.</param>
    /// <param name="items">What is sorted.</param>
    /// <param name="key">By what.</param>
    /// <param name="reverse">Greatest first; equal ones stay in their order.</param>
    public static List<T> By<T>(Machine machine, IEnumerable<T> items, Func<T, object?> key, bool reverse = false)
    {
        (T Item, object? Key)[] all = [.. items.Select(item => (item, key(item)))];
        var room = new (T, object?)[all.Length];
        Sort(0, all.Length);
        return [.. all.Select(static pair => pair.Item)];

        void Sort(int from, int to)
        {
            if (to - from < 2)
                return;
            var middle = (from + to) / 2;
            Sort(from, middle);
            Sort(middle, to);
            var (left, right) = (from, middle);
            for (var at = from; at < to; at++)
            {
                machine.Step();
                var takesRight = left == middle || (right < to && Before(all[right].Key, all[left].Key));
                room[at] = takesRight ? all[right++] : all[left++];
            }
            Array.Copy(room, from, all, from, to - from);
        }

        bool Before(object? a, object? b) => reverse ? Comparison.IsLess(b, a) : Comparison.IsLess(a, b);
    }
}
