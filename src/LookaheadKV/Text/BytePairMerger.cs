namespace LookaheadKV.Text;

/// <summary>
/// Byte-pair merging: of all neighbours that have a merge, the pair with the lowest rank is joined, the leftmost of equals first, until no
/// pair has one. O(n log n), so that a text without pre-tokens may be long.
/// </summary>
internal sealed class BytePairMerger
{
    private readonly Dictionary<long, (int Rank, int Joined)> merges;

    public BytePairMerger(IReadOnlyList<(string Left, string Right)> merges, IReadOnlyDictionary<string, int> vocabulary)
    {
        this.merges = [];
        var (rank, before) = (-1, -1);
        foreach (var (left, right) in merges)
        {
            var joined = vocabulary[left + right];
            rank += joined == before ? 0 : 1;
            before = joined;
            this.merges.Add(Key(vocabulary[left], vocabulary[right]), (rank, joined));
        }
    }

    /// <summary>Merges a row of ids from <paramref name="first"/> on, in place.</summary>
    public void Merge(List<int> ids, int first)
    {
        var count = ids.Count - first;
        if (count < 2)
            return;

        var (next, previous) = (new int[count], new int[count]);
        var queue = shared ??= new PriorityQueue<(int At, int Joined), long>();
        for (var i = 0; i < count; i++)
        {
            (next[i], previous[i]) = (i + 1, i - 1);
            Enqueue(i);
        }

        while (queue.TryDequeue(out var candidate, out _))
        {
            var at = candidate.At;
            if (!Joins(at, out var merge) || merge.Joined != candidate.Joined)
                continue; // a side was merged away since
            ids[first + at] = merge.Joined;
            var gone = next[at];
            ids[first + gone] = Gone;
            next[at] = next[gone];
            if (next[at] < count)
                previous[next[at]] = at;
            Enqueue(at);
            if (previous[at] >= 0)
                Enqueue(previous[at]);
        }

        var kept = first;
        for (var i = 0; i < count; i = next[i])
            ids[kept++] = ids[first + i];
        ids.RemoveRange(kept, ids.Count - kept);

        bool Joins(int at, out (int Rank, int Joined) merge)
        {
            merge = default;
            return ids[first + at] != Gone
                && next[at] < count
                && merges.TryGetValue(Key(ids[first + at], ids[first + next[at]]), out merge);
        }

        void Enqueue(int at)
        {
            if (Joins(at, out var merge))
                queue.Enqueue((at, merge.Joined), Key(merge.Rank, at));
        }
    }

    private const int Gone = -1;

    // Most pre-tokens are short, and a queue of their own would be most of the work.
    [ThreadStatic]
    private static PriorityQueue<(int At, int Joined), long>? shared;

    /// <summary>Two numbers as one, which orders by the first, then by the second.</summary>
    private static long Key(int first, int second) => ((long)first << 32) | (uint)second;
}
