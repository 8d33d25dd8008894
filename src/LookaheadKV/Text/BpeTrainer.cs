using System.Runtime.InteropServices;
using LookaheadKV.Checkpoints;
using LookaheadKV.Files;

namespace LookaheadKV.Text;

/// <summary>
/// Trains byte-level BPE: texts are cut into pre-tokens, and the pair of neighbouring tokens that occurs most often in them becomes a new
/// token, again and again. Ties go to the pair with the lower left id, then the lower right id, so the same texts give the same tokenizer.
/// </summary>
public static class BpeTrainer
{
    /// <summary>Learns a vocabulary from texts.</summary>
    /// <param name="texts">The texts; special tokens in them are cut out and learned from on neither side.</param>
    /// <param name="vocabularySize">
    /// Entries in all: the special tokens (ids from 0, in the order given), the 256 bytes, then the merged tokens. Fewer come out when no
    /// pair occurs twice any more.
    /// </param>
    /// <param name="specialTokens">Control tokens, such as an end-of-text marker; not empty, all different, none the spelling of a byte.</param>
    /// <param name="pattern">The regular expression that cuts pre-tokens, such as <see cref="SplitPatterns.Qwen2"/>.</param>
    /// <param name="cancellation">Stops the work.</param>
    /// <exception cref="InputException">The size has no room for bytes and special tokens, or one of these cannot be used.</exception>
    public static TokenizerJson Train(
        IEnumerable<string> texts,
        int vocabularySize,
        IReadOnlyList<string> specialTokens,
        string pattern,
        CancellationToken cancellation = default
    )
    {
        Check(vocabularySize, specialTokens);
        var added = specialTokens.Select((content, id) => new AddedToken(id, content, Special: true)).ToArray();
        string[] spellings = [.. specialTokens, .. ByteLevel.Alphabet];
        var pretokens = Count(texts, SplitPattern.Of(pattern, "tokenizer training"), new AddedTokenFinder(added), cancellation);
        var learner = new Learner(spellings, specialTokens, pretokens);
        while (learner.Vocabulary.Count < vocabularySize && learner.MergeMostFrequent())
            cancellation.ThrowIfCancellationRequested();
        return new TokenizerJson(learner.Vocabulary, learner.Merges, added, pattern);
    }

    private static void Check(int vocabularySize, IReadOnlyList<string> specialTokens)
    {
        var least = 256 + specialTokens.Count;
        if (vocabularySize < least)
            throw new InputException(
                $"vocabulary size {vocabularySize} is too small; 256 bytes and {specialTokens.Count} special tokens need at least {least}."
            );
        var bytes = ByteLevel.Alphabet.ToHashSet();
        for (var i = 0; i < specialTokens.Count; i++)
        {
            if (specialTokens[i].Length == 0 || bytes.Contains(specialTokens[i]) || specialTokens.Take(i).Contains(specialTokens[i]))
                throw new InputException(
                    $"special token {i} is {Quoting.Quote(specialTokens[i])}; use texts of two characters or more, all different."
                );
        }
    }

    private static Dictionary<string, long> Count(
        IEnumerable<string> texts,
        SplitPattern pattern,
        AddedTokenFinder special,
        CancellationToken cancellation
    )
    {
        var counts = new Dictionary<string, long>();
        var lookup = counts.GetAlternateLookup<ReadOnlySpan<char>>();
        foreach (var text in texts)
        {
            cancellation.ThrowIfCancellationRequested();
            var whole = Tokenizer.WellFormed(text);
            foreach (var (start, end, token) in special.Cut(whole))
            {
                if (token is null)
                    CountPieces(whole.AsSpan(start, end - start));
            }
        }

        return counts;

        void CountPieces(ReadOnlySpan<char> text)
        {
            foreach (var piece in pattern.Pieces(text))
                CollectionsMarshal.GetValueRefOrAddDefault(lookup, text[piece], out _)++;
        }
    }

    /// <summary>The state of training: every distinct pre-token as a row of tokens, and how often each pair of neighbours occurs.</summary>
    private sealed class Learner
    {
        private readonly List<string> spellings;
        private readonly HashSet<string> reserved;
        private readonly List<(int[] Tokens, long Count)> words = [];
        private readonly Dictionary<(int Left, int Right), long> pairs = [];
        private readonly Dictionary<(int Left, int Right), HashSet<int>> wordsWith = [];

        // Holds every pair with its count at some time; entries that are out of date are dropped when they come up.
        private readonly PriorityQueue<(int Left, int Right), (long Count, int Left, int Right)> queue = new(
            Comparer<(long Count, int Left, int Right)>.Create(
                (a, b) => a.Count != b.Count ? b.Count.CompareTo(a.Count) : (a.Left, a.Right).CompareTo((b.Left, b.Right))
            )
        );

        public Learner(IEnumerable<string> first, IEnumerable<string> specialTokens, Dictionary<string, long> pretokens)
        {
            spellings = [.. first];
            reserved = [.. specialTokens];
            Vocabulary = spellings.Select((spelling, id) => (spelling, id)).ToDictionary();
            foreach (var (pretoken, count) in pretokens)
            {
                words.Add(([.. ByteLevel.Spell(pretoken).Select(unit => Vocabulary[unit.ToString()])], count));
                AddPairs(words.Count - 1, 1);
            }

            foreach (var pair in pairs.Keys)
                Enqueue(pair);
        }

        public Dictionary<string, int> Vocabulary { get; }

        public List<(string Left, string Right)> Merges { get; } = [];

        /// <summary>Makes a token of the most frequent pair; false when no pair occurs twice.</summary>
        public bool MergeMostFrequent()
        {
            while (queue.TryDequeue(out var pair, out var priority))
            {
                if (priority.Count < 2)
                    return false;
                var spelling = spellings[pair.Left] + spellings[pair.Right];
                if (priority.Count != pairs.GetValueOrDefault(pair) || reserved.Contains(spelling))
                    continue;
                Merge(pair, spelling);
                return true;
            }

            return false;
        }

        private void Merge((int Left, int Right) pair, string spelling)
        {
            // Two different pairs can spell the same token ("a"+"aa", "aa"+"a"): both are merges, the token is one.
            if (Vocabulary.TryAdd(spelling, spellings.Count))
                spellings.Add(spelling);
            Merges.Add((spellings[pair.Left], spellings[pair.Right]));

            var changed = new HashSet<(int, int)>();
            foreach (var word in wordsWith[pair].ToArray())
            {
                changed.UnionWith(AddPairs(word, -1));
                words[word] = (Join(words[word].Tokens, pair, Vocabulary[spelling]), words[word].Count);
                changed.UnionWith(AddPairs(word, 1));
            }

            foreach (var other in changed)
                Enqueue(other);
        }

        /// <summary>Counts a word's pairs in (sign 1) or out (sign -1) and returns them.</summary>
        private HashSet<(int, int)> AddPairs(int word, int sign)
        {
            var (tokens, count) = words[word];
            var seen = new HashSet<(int, int)>();
            for (var i = 1; i < tokens.Length; i++)
            {
                var pair = (tokens[i - 1], tokens[i]);
                seen.Add(pair);
                CollectionsMarshal.GetValueRefOrAddDefault(pairs, pair, out _) += sign * count;
            }

            foreach (var pair in seen)
            {
                if (sign < 0)
                    wordsWith[pair].Remove(word);
                else if (!wordsWith.TryAdd(pair, [word]))
                    wordsWith[pair].Add(word);
            }

            return seen;
        }

        private void Enqueue((int Left, int Right) pair)
        {
            if (pairs[pair] > 1)
                queue.Enqueue(pair, (pairs[pair], pair.Left, pair.Right));
        }

        private static int[] Join(int[] tokens, (int Left, int Right) pair, int joined)
        {
            var result = new List<int>(tokens.Length);
            for (var i = 0; i < tokens.Length; i++)
            {
                var here = i + 1 < tokens.Length && (tokens[i], tokens[i + 1]) == pair;
                result.Add(here ? joined : tokens[i]);
                if (here)
                    i++;
            }

            return [.. result];
        }
    }
}
