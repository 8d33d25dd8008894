using LookaheadKV.Text;
using Xunit;

namespace LookaheadKV.Tests.Text;

public sealed class StreamingDecoderTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("lookahead-text-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void PiecesOfTextHoldWholeCharacters()
    {
        foreach (var tokenizer in Tokenizers())
        foreach (var text in Samples.Hard(800).Where(text => !text.Contains('▁') && !text.Contains('\ufffd')))
        {
            var decoder = new StreamingDecoder(tokenizer);
            string[] pieces = [.. tokenizer.Encode(text).Select(decoder.Add), decoder.Finish()];
            Assert.All(pieces, piece => Assert.Equal(Tokenizer.WellFormed(piece), piece));
            Assert.All(pieces, piece => Assert.DoesNotContain('\ufffd', piece));
            Assert.Equal(text, string.Concat(pieces));
        }
    }

    [Fact]
    public void InARowThePiecesAreTheWholeForAnyIds()
    {
        var random = new Random(5);
        foreach (var tokenizer in Tokenizers())
        foreach (var skip in (bool[])[false, true])
        {
            var decoder = new StreamingDecoder(tokenizer, skip);
            for (var round = 0; round < 2000; round++)
            {
                int[] ids =
                [
                    .. Enumerable.Range(0, random.Next(10)).Select(_ => random.Next(round % 2 == 0 ? 300 : tokenizer.VocabularySize)),
                ];
                string[] pieces = [.. ids.Select(decoder.Add), decoder.Finish()];
                Assert.Equal(Whole(tokenizer, ids, skip), string.Concat(pieces));
            }
        }
    }

    [Fact]
    public void SkipsControlTokensAmongHalfCharacters()
    {
        var tokenizer = new Tokenizer(Samples.Definition);
        var decoder = new StreamingDecoder(tokenizer, skipSpecial: true);
        var (end, smile) = (tokenizer.Id(Samples.End)!.Value, tokenizer.Encode("𐌰"));
        Assert.True(smile.Length > 1);
        Assert.Equal("", decoder.Add(smile[0]));
        Assert.Equal("", decoder.Add(end));
        Assert.Equal("𐌰", string.Concat(smile.Skip(1).Select(decoder.Add)));
    }

    private IEnumerable<Tokenizer> Tokenizers()
    {
        yield return new Tokenizer(Samples.Definition);
        SentencePieceModel.Sample().Write(Path.Combine(folder, "tokenizer.model"));
        yield return Tokenizer.Load(folder);
    }

    private static byte[] Bytes(string piece) => ByteLevel.Unspell(piece) ?? System.Text.Encoding.UTF8.GetBytes(piece);

    /// <summary>The text of all ids at once, from the tokens' own bytes.</summary>
    private static string Whole(Tokenizer tokenizer, int[] ids, bool skip)
    {
        var shown = ids.Where(id => !skip || tokenizer.ControlToken(id) is null).ToArray();
        if (tokenizer.Definition.Rules.OverBytes)
            return System.Text.Encoding.UTF8.GetString([.. shown.SelectMany(id => Bytes(tokenizer.Piece(id)))]);
        var text = "";
        for (var i = 0; i < shown.Length; )
        {
            var run = shown.Skip(i).TakeWhile(id => tokenizer.Piece(id).StartsWith("<0x")).ToArray();
            byte[] bytes = [.. run.Select(id => Convert.FromHexString(tokenizer.Piece(id)[3..5])[0])];
            var decoded = System.Text.Encoding.UTF8.GetString(bytes);
            text += System.Text.Encoding.UTF8.GetBytes(decoded).SequenceEqual(bytes) ? decoded : new string('\ufffd', run.Length);
            i += run.Length;
            if (i < shown.Length)
                text += tokenizer.Piece(shown[i++]).Replace('▁', ' ');
        }

        return text.StartsWith(' ') ? text[1..] : text;
    }
}
