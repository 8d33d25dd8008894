using Microsoft.ML.Tokenizers;
using Xunit;
using Tokenizer = LookaheadKV.Text.Tokenizer;

namespace LookaheadKV.Tests.Text;

/// <summary>The ids of Microsoft.ML.Tokenizers, an independent implementation, where it can say them.</summary>
public sealed class OtherLibraryTests
{
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
