using Microsoft.ML.Tokenizers;
using Xunit;
using Tokenizer = LookaheadKV.Text.Tokenizer;

namespace LookaheadKV.Tests.Text;

/// <summary>The ids of Microsoft.ML.Tokenizers, an independent implementation, where it can say them.</summary>
public sealed class OtherLibraryTests
{
    [Fact]
    public void BytesMergeAsTheyDoThere()
    {
        var definition = Samples.Definition;
        var other = BpeTokenizer.Create(
            new BpeOptions(definition.Vocabulary)
            {
                ByteLevel = true,
                Merges = definition.Merges.Select(merge => $"{merge.Left} {merge.Right}"),
            }
        );
        var ours = new Tokenizer(definition);
        foreach (var text in Samples.Hard(2000).Select(Tokenizer.WellFormed))
        {
            var ids = new List<int>();
            ours.EncodePiece(text, ids); // one piece: the merges alone
            Assert.Equal(other.EncodeToIds(text, considerPreTokenization: false, considerNormalization: false), ids);
        }
    }

    [Fact]
    public void SentencePieceModelsGiveTheSameIdsThere()
    {
        var folder = Directory.CreateTempSubdirectory("lookahead-text-").FullName;
        try
        {
            var path = Path.Combine(folder, "tokenizer.model");
            SentencePieceModel.Sample().Write(path);
            using var stream = File.OpenRead(path);
            var other = SentencePieceTokenizer.Create(stream, addBeginningOfSentence: false, addEndOfSentence: false);
            var ours = Tokenizer.Load(path);
            foreach (var text in Samples.Hard(1500).Concat(Samples.Templates(30)))
                Assert.Equal(other.EncodeToIds(text), ours.Encode(text));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
