using System.Text.Encodings.Web;
using System.Text.Json;
using LookaheadKV.Checkpoints;

namespace LookaheadKV.Text;

/// <summary>
/// What a Hugging Face tokenizer.json says about a byte-level BPE tokenizer: the vocabulary, the merges in order of priority, the added
/// tokens and the pattern that cuts pre-tokens. <see cref="Tokenizer"/> runs it, <see cref="BpeTrainer"/> makes it.
/// </summary>
public sealed class TokenizerJson
{
    /// <summary>Takes the parts and checks that they fit together.</summary>
    /// <param name="vocabulary">Ids by spelling; bytes are spelled as in GPT-2 (a space is "Ġ"). All 256 single bytes are there.</param>
    /// <param name="merges">Pairs of spellings that are joined, first ones first; each side and the joined spelling are in the vocabulary.</param>
    /// <param name="addedTokens">Tokens that are found whole, before any splitting.</param>
    /// <param name="pattern">The regular expression that cuts pre-tokens.</param>
    /// <param name="normalizeNfc">Whether text is brought to Unicode's composed form (NFC) first.</param>
    /// <param name="ignoreMerges">Whether a pre-token that is a vocabulary entry is taken whole, whatever the merges say.</param>
    /// <param name="source">What errors call this tokenizer: its path.</param>
    /// <exception cref="InputException">An id is negative or used twice, a byte has no token, or a merge names an absent token.</exception>
    public TokenizerJson(
        IReadOnlyDictionary<string, int> vocabulary,
        IReadOnlyList<(string Left, string Right)> merges,
        IReadOnlyList<AddedToken> addedTokens,
        string pattern,
        bool normalizeNfc = false,
        bool ignoreMerges = false,
        string source = "tokenizer"
    )
    {
        (Vocabulary, Merges, AddedTokens) = (vocabulary, merges, addedTokens);
        (Pattern, NormalizeNfc, IgnoreMerges, Source) = (pattern, normalizeNfc, ignoreMerges, source);
        CheckIds();
        CheckBytes();
        CheckMerges();
    }

    /// <summary>Ids by spelling; bytes are spelled as in GPT-2 (a space is "Ġ").</summary>
    public IReadOnlyDictionary<string, int> Vocabulary { get; }

    /// <summary>Pairs of spellings that are joined, first ones first.</summary>
    public IReadOnlyList<(string Left, string Right)> Merges { get; }

    /// <summary>Tokens that are found whole, before any splitting; some are in the vocabulary too.</summary>
    public IReadOnlyList<AddedToken> AddedTokens { get; }

    /// <summary>The regular expression that cuts pre-tokens.</summary>
    public string Pattern { get; }

    /// <summary>Whether text is brought to Unicode's composed form (NFC) first.</summary>
    public bool NormalizeNfc { get; }

    /// <summary>Whether a pre-token that is a vocabulary entry is taken whole, whatever the merges say.</summary>
    public bool IgnoreMerges { get; }

    /// <summary>What errors call this tokenizer.</summary>
    internal string Source { get; }

    /// <summary>Reads a tokenizer.json.</summary>
    /// <exception cref="InputException">The file is missing, damaged, or asks for something other than byte-level BPE.</exception>
    public static TokenizerJson Read(string path) => TokenizerJsonReader.Read(path);

    /// <summary>
    /// Writes a tokenizer.json that the Python libraries tokenizers and transformers (PreTrainedTokenizerFast) load, with the same ids.
    /// It is written beside and then renamed: a file at <paramref name="path"/> is whole or untouched.
    /// </summary>
    /// <exception cref="InputException">The place cannot be written.</exception>
    public void Write(string path) => AtomicFile.Write(path, WriteTo);

    private void WriteTo(Stream stream)
    {
        var relaxed = new JsonWriterOptions { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        using var json = new Utf8JsonWriter(stream, relaxed);
        json.WriteStartObject();
        json.WriteString("version", "1.0");
        json.WriteNull("truncation");
        json.WriteNull("padding");
        WriteAddedTokens(json);
        WriteNormalizer(json);
        WritePreTokenizer(json);
        json.WriteNull("post_processor");
        json.WriteStartObject("decoder");
        WriteByteLevel(json);
        json.WriteEndObject();
        WriteModel(json);
        json.WriteEndObject();
    }

    private void WriteAddedTokens(Utf8JsonWriter json)
    {
        json.WriteStartArray("added_tokens");
        foreach (var token in AddedTokens.OrderBy(token => token.Id))
        {
            json.WriteStartObject();
            json.WriteNumber("id", token.Id);
            json.WriteString("content", token.Content);
            json.WriteBoolean("single_word", false);
            json.WriteBoolean("lstrip", false);
            json.WriteBoolean("rstrip", false);
            json.WriteBoolean("normalized", token.Normalized);
            json.WriteBoolean("special", token.Special);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private void WriteNormalizer(Utf8JsonWriter json)
    {
        if (!NormalizeNfc)
        {
            json.WriteNull("normalizer");
            return;
        }

        json.WriteStartObject("normalizer");
        json.WriteString("type", "NFC");
        json.WriteEndObject();
    }

    private void WritePreTokenizer(Utf8JsonWriter json)
    {
        json.WriteStartObject("pre_tokenizer");
        json.WriteString("type", "Sequence");
        json.WriteStartArray("pretokenizers");
        json.WriteStartObject();
        json.WriteString("type", "Split");
        json.WriteStartObject("pattern");
        json.WriteString("Regex", Pattern);
        json.WriteEndObject();
        json.WriteString("behavior", "Isolated");
        json.WriteBoolean("invert", false);
        json.WriteEndObject();
        json.WriteStartObject();
        WriteByteLevel(json);
        json.WriteEndObject();
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteByteLevel(Utf8JsonWriter json)
    {
        json.WriteString("type", "ByteLevel");
        json.WriteBoolean("add_prefix_space", false);
        json.WriteBoolean("trim_offsets", false);
        json.WriteBoolean("use_regex", false);
    }

    private void WriteModel(Utf8JsonWriter json)
    {
        json.WriteStartObject("model");
        json.WriteString("type", "BPE");
        json.WriteNull("dropout");
        json.WriteNull("unk_token");
        json.WriteNull("continuing_subword_prefix");
        json.WriteNull("end_of_word_suffix");
        json.WriteBoolean("fuse_unk", false);
        json.WriteBoolean("byte_fallback", false);
        json.WriteBoolean("ignore_merges", IgnoreMerges);
        json.WriteStartObject("vocab");
        foreach (var (spelling, id) in Vocabulary.OrderBy(entry => entry.Value))
            json.WriteNumber(spelling, id);
        json.WriteEndObject();
        json.WriteStartArray("merges");
        foreach (var (left, right) in Merges)
            json.WriteStringValue($"{left} {right}"); // every version reads this form; no spelling of bytes has a space
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private void CheckIds()
    {
        var owners = new Dictionary<int, string>();
        foreach (var (spelling, id) in Vocabulary)
        {
            if (id < 0)
                throw new InputException($"{Source}: token {Quoting.Quote(spelling)} has id {id}; ids start at 0.");
            if (!owners.TryAdd(id, spelling))
                throw Twice(id, owners[id], spelling);
        }

        var contents = new HashSet<string>();
        foreach (var (id, content, _, _) in AddedTokens)
        {
            if (id < 0 || content.Length == 0)
                throw new InputException(
                    $"{Source}: added token {Quoting.Quote(content)} has id {id}; its text must not be empty and its id not negative."
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

    private void CheckBytes()
    {
        var missing = ByteLevel.Alphabet.FirstOrDefault(spelling => !Vocabulary.ContainsKey(spelling));
        if (missing is not null)
            throw new InputException(
                $"{Source}: the vocabulary has no token for the single byte {ByteLevel.Unspell(missing)![0]} (written {Quoting.Quote(missing)}); "
                    + "a byte-level vocabulary holds all 256."
            );
    }

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

            if (!seen.Add((left, right)))
                throw new InputException(
                    $"{Source}: merge {i} ({Quoting.Quote(left)} + {Quoting.Quote(right)}) is listed twice; remove one of the two."
                );
        }
    }
}
