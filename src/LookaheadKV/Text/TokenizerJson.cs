using System.Text;
using LookaheadKV.Checkpoints;
using LookaheadKV.Files;

namespace LookaheadKV.Text;

/// <summary>
/// What a tokenizer is made of: the vocabulary, the merges in order of priority, the added tokens, and the rules that normalize, cut and
/// decode text. <see cref="Tokenizer"/> runs it, <see cref="BpeTrainer"/> makes it, and it is read from a Hugging Face tokenizer.json
/// (BPE over bytes or over characters) or from a SentencePiece model.
/// </summary>
public sealed class TokenizerJson
{
    /// <summary>Takes the parts of a byte-level tokenizer and checks that they fit together.</summary>
    /// <param name="vocabulary">Ids by spelling; bytes are spelled as in GPT-2 (a space is "Ġ"). A byte without a token is left out of what is encoded.</param>
    /// <param name="merges">Pairs of spellings that are joined, first ones first; each side and the joined spelling are in the vocabulary.</param>
    /// <param name="addedTokens">Tokens that are found whole, before any splitting.</param>
    /// <param name="pattern">The regular expression that cuts pre-tokens.</param>
    /// <param name="normalizeNfc">Whether text is brought to Unicode's composed form (NFC) first.</param>
    /// <param name="ignoreMerges">Whether a pre-token that is a vocabulary entry is taken whole, whatever the merges say.</param>
    /// <param name="source">What errors call this tokenizer: its path.</param>
    /// <exception cref="InputException">An id is negative or used twice, a merge names an absent token, or the pattern cannot be run.</exception>
    public TokenizerJson(
        IReadOnlyDictionary<string, int> vocabulary,
        IReadOnlyList<(string Left, string Right)> merges,
        IReadOnlyList<AddedToken> addedTokens,
        string pattern,
        bool normalizeNfc = false,
        bool ignoreMerges = false,
        string source = "tokenizer"
    )
        : this(
            vocabulary,
            merges,
            addedTokens,
            new TextRules
            {
                Normalizers = normalizeNfc ? [new TextChange.Form(NormalizationForm.FormC)] : [],
                PreTokenizers = [new PreTokenizer.Split(pattern, source), new PreTokenizer.SpellBytes(AddsSpace: false, Splitter: null)],
                Decoders = [new TokenDecoder.SpelledBytes()],
                IgnoreMerges = ignoreMerges,
            },
            source
        ) { }

    /// <summary>Takes the parts of any tokenizer and checks that they fit together.</summary>
    internal TokenizerJson(
        IReadOnlyDictionary<string, int> vocabulary,
        IReadOnlyList<(string Left, string Right)> merges,
        IReadOnlyList<AddedToken> addedTokens,
        TextRules rules,
        string source
    )
    {
        (Vocabulary, Merges, AddedTokens, Rules, Source) = (vocabulary, merges, addedTokens, rules, source);
        CheckIds();
        CheckMerges();
    }

    /// <summary>
    /// Ids by spelling. In a byte-level tokenizer bytes are spelled as in GPT-2 (a space is "Ġ"); otherwise a space is "▁" and a byte
    /// "&lt;0x20&gt;".
    /// </summary>
    public IReadOnlyDictionary<string, int> Vocabulary { get; }

    /// <summary>Pairs of spellings that are joined, first ones first.</summary>
    public IReadOnlyList<(string Left, string Right)> Merges { get; }

    /// <summary>Tokens that are found whole, before any splitting; some are in the vocabulary too.</summary>
    public IReadOnlyList<AddedToken> AddedTokens { get; }

    /// <summary>What is done to text besides merging.</summary>
    internal TextRules Rules { get; }

    /// <summary>What errors call this tokenizer.</summary>
    internal string Source { get; }

    /// <summary>With the control tokens around a prompt that a tokenizer_config.json asks for, which goes before the file itself.</summary>
    /// <exception cref="InputException">It asks for a token that is not there.</exception>
    internal TokenizerJson With(TokenizerConfig config)
    {
        if (config.AddsBegin is null && config.AddsEnd is null)
            return this;
        return new TokenizerJson(
            Vocabulary,
            Merges,
            AddedTokens,
            Rules with
            {
                Ends = new PromptEnds(Ids(config.AddsBegin, config.BeginToken), Ids(config.AddsEnd, config.EndToken)),
            },
            Source
        );

        int[] Ids(bool? adds, string? token)
        {
            if (adds != true || token is null)
                return [];
            var id = AddedTokens.FirstOrDefault(known => known.Content == token)?.Id;
            if (id is null && !Vocabulary.ContainsKey(token))
                throw new InputException(
                    $"{Source}: tokenizer_config.json puts {Quoting.Quote(token)} around every prompt, which is not in the vocabulary; correct one of the two."
                );
            return [id ?? Vocabulary[token]];
        }
    }

    /// <summary>Reads a tokenizer.json.</summary>
    /// <exception cref="InputException">The file is missing, damaged, or asks for something that is not implemented, which is named.</exception>
    public static TokenizerJson Read(string path)
    {
        var (files, file) = ModelFiles.OfFile(path);
        return TokenizerJsonReader.Read(files, file);
    }

    /// <summary>
    /// Writes a tokenizer.json that the Python libraries tokenizers and transformers (PreTrainedTokenizerFast) load, with the same ids.
    /// It is written beside and then renamed: a file at <paramref name="path"/> is whole or untouched.
    /// </summary>
    /// <exception cref="InputException">The place cannot be written.</exception>
    public void Write(string path) => AtomicFile.Write(path, stream => TokenizerJsonWriter.Write(this, stream));

    private void CheckIds()
    {
        var owners = new Dictionary<int, string>();
        foreach (var (spelling, id) in Vocabulary)
        {
            if (id is < 0 or int.MaxValue)
                throw new InputException($"{Source}: token {Quoting.Quote(spelling)} has id {id}; ids are numbers from 0 on.");
            if (!owners.TryAdd(id, spelling))
                throw Twice(id, owners[id], spelling);
        }

        var contents = new HashSet<string>();
        foreach (var token in AddedTokens)
        {
            var (id, content) = (token.Id, token.Content);
            if (id is < 0 or int.MaxValue || content.Length == 0)
                throw new InputException(
                    $"{Source}: added token {Quoting.Quote(content)} has id {id}; its text must not be empty and its id a number from 0 on."
                );
            if (!contents.Add(content))
                throw new InputException($"{Source}: added token {Quoting.Quote(content)} is listed twice; remove one of the two.");
            if (Vocabulary.TryGetValue(content, out var known) && known != id)
                throw new InputException(
                    $"{Source}: added token {Quoting.Quote(content)} has id {id}, but the vocabulary gives it {known}; make them the same."
                );
            if (!owners.TryAdd(id, content) && owners[id] != content)
                throw Twice(id, owners[id], content);
        }
    }

    private InputException Twice(int id, string first, string second) =>
        new($"{Source}: id {id} belongs to {Quoting.Quote(first)} and to {Quoting.Quote(second)}; every token needs its own id.");

    private bool StandsForUnknown(string token) =>
        token == Rules.UnknownToken || (Rules.ByteFallback && ByteTokens.Value(token) is not null);

    private void CheckMerges()
    {
        var seen = new HashSet<(string, string)>();
        for (var i = 0; i < Merges.Count; i++)
        {
            var (left, right) = Merges[i];
            foreach (var part in (string[])[left, right, left + right])
            {
                if (!Vocabulary.ContainsKey(part))
                    throw new InputException(
                        $"{Source}: merge {i} ({Quoting.Quote(left)} + {Quoting.Quote(right)}) names {Quoting.Quote(part)}, "
                            + "which is not in the vocabulary; the file is damaged or the two come from different tokenizers."
                    );
            }

            if (new[] { left, right }.FirstOrDefault(StandsForUnknown) is { } standIn)
                throw new InputException(
                    $"{Source}: merge {i} ({Quoting.Quote(left)} + {Quoting.Quote(right)}) joins {Quoting.Quote(standIn)}, which stands for what "
                        + "has no token; merges of such tokens are not done here."
                );
            if (!seen.Add((left, right)))
                throw new InputException(
                    $"{Source}: merge {i} ({Quoting.Quote(left)} + {Quoting.Quote(right)}) is listed twice; remove one of the two."
                );
        }
    }
}
