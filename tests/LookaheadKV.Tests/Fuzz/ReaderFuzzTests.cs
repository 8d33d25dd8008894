using System.Diagnostics;
using System.Text;
using System.Text.Json;
using LookaheadKV.Checkpoints;
using LookaheadKV.Generation;
using LookaheadKV.Models;
using LookaheadKV.Tests.Checkpoints.Gguf;
using LookaheadKV.Tests.Models;
using LookaheadKV.Tests.Pretraining;
using LookaheadKV.Text;
using Xunit;
using static TorchSharp.torch;
using Decoder = LookaheadKV.Models.Decoder;

namespace LookaheadKV.Tests.Fuzz;

/// <summary>
/// Readers of files from strangers, on damaged files: they read them or refuse them by <see cref="InputException"/>, in bounded time and
/// memory. <c>LOOKAHEADKV_FUZZ=100000</c> tries so many of each kind in place of a few hundred, and <c>LOOKAHEADKV_FUZZ_SEED</c> begins at another.
/// </summary>
public sealed class ReaderFuzzTests : IDisposable
{
    private const long MostBytes = 1 << 29;
    private static readonly TimeSpan Most = TimeSpan.FromMinutes(1);

    private readonly TemporaryFolder _folder = new();

    private static int Cases => Number("LOOKAHEADKV_FUZZ", 300);

    private static int First => Number("LOOKAHEADKV_FUZZ_SEED", 0);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Safetensors()
    {
        RandomFolder.Write(_folder["seed"], TinyDecoder.Config);
        Survive(
            "model.safetensors",
            [File.ReadAllBytes(Path.Combine(_folder["seed"], "model.safetensors"))],
            path =>
            {
                using var scope = NewDisposeScope();
                using var file = SafetensorsFile.Open(path);
                foreach (var name in file.Names)
                    file.Read(name);
            }
        );
    }

    [Fact]
    public void Configurations()
    {
        RandomFolder.Write(_folder["seed"], TinyDecoder.Config);
        Survive(
            ModelFiles.Config,
            [File.ReadAllBytes(Path.Combine(_folder["seed"], ModelFiles.Config)), Rope("llama3"), Rope("yarn")],
            path => DecoderConfig.Load(Path.GetDirectoryName(path)!)
        );

        static byte[] Rope(string type) =>
            Encoding.UTF8.GetBytes(
                $$"""
                { "model_type": "llama", "max_position_embeddings": 8192,
                  "rope_scaling": { "rope_type": "{{type}}", "factor": 8.0, "original_max_position_embeddings": 1024{{(
                    type == "llama3" ? ", \"low_freq_factor\": 1.0, \"high_freq_factor\": 4.0" : ""
                )}} },
                  "eos_token_id": [1, 2] }
                """
            );
    }

    [Fact]
    public void GenerationConfigurations() =>
        Survive(
            ModelFiles.GenerationConfig,
            [
                """
                { "bos_token_id": 1, "eos_token_id": [2, 3], "do_sample": true, "temperature": 0.6, "top_k": 20, "top_p": 0.95,
                  "repetition_penalty": 1.05, "suppress_tokens": [1, 2], "bad_words_ids": [[3], [4, 5]], "num_beams": 1, "transformers_version": "4.50.0" }
                """u8.ToArray(),
            ],
            path =>
            {
                var folder = Path.GetDirectoryName(path)!;
                EndTokens.Of(folder);
                foreach (var (key, value) in GenerationSettings.Of(folder).Changes)
                    Assert.DoesNotContain('\n', key + value);
            }
        );

    [Fact]
    public void Tokenizers()
    {
        BpeTrainer.Train(["to be or not to be, that is the question"], 300, [], SplitPatterns.Qwen2).Write(_folder["a.json"]);
        Survive(
            ModelFiles.TokenizerJson,
            [File.ReadAllBytes(_folder["a.json"]), Encoding.UTF8.GetBytes(Pieces)],
            path =>
            {
                var tokenizer = Tokenizer.Load(Path.GetDirectoryName(path)!);
                tokenizer.Decode(tokenizer.Encode("to be 12 é🙂 <s>"));
            }
        );
    }

    // The form of a SentencePiece tokenizer.
    private const string Pieces = """
        {
          "added_tokens": [{ "id": 0, "content": "<s>", "special": true, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false }],
          "normalizer": { "type": "Sequence", "normalizers": [{ "type": "Prepend", "prepend": "▁" }, { "type": "Replace", "pattern": { "String": " " }, "content": "▁" }] },
          "pre_tokenizer": null,
          "post_processor": { "type": "TemplateProcessing", "single": [{ "SpecialToken": { "id": "<s>", "type_id": 0 } }, { "Sequence": { "id": "A", "type_id": 0 } }],
            "pair": [], "special_tokens": { "<s>": { "id": "<s>", "ids": [0], "tokens": ["<s>"] } } },
          "decoder": { "type": "Sequence", "decoders": [{ "type": "Replace", "pattern": { "String": "▁" }, "content": " " }, { "type": "ByteFallback" }, { "type": "Fuse" },
            { "type": "Strip", "content": " ", "start": 1, "stop": 0 }] },
          "model": { "type": "BPE", "unk_token": "<unk>", "fuse_unk": true, "byte_fallback": true,
            "vocab": { "<s>": 0, "<unk>": 1, "▁": 2, "t": 3, "o": 4, "b": 5, "e": 6, "to": 7, "be": 8, "▁to": 9, "<0x0A>": 10 },
            "merges": ["t o", "b e", "▁ to"] }
        }
        """;

    [Fact]
    public void Templates()
    {
        string[] templates =
        [
            "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
            """
                {%- set ns = namespace(first=true, system='') -%}
                {%- macro turn(role, content) -%}[{{ role | upper }}] {{ content | trim }}{%- endmacro -%}
                {%- for m in messages if m.content is defined -%}
                {%- if m.role == 'system' -%}{%- set ns.system = m.content -%}{%- elif loop.index0 % 2 == 3 -%}{{ raise_exception('order') }}
                {%- else -%}{{ turn(m.role, m.content) }}{{ m | tojson(indent=2) }}{{ messages[::-1][0].content[1:] ~ loop.length }}{%- endif -%}
                {%- endfor -%}{{ strftime_now('%Y') if false else bos_token }}{{ ['a', 1, none] | join(', ') }}{% raw %}{{ x }}{% endraw %}{# end #}
                """,
        ];
        ChatMessage[] messages =
        [
            ChatMessage.System("be kind"),
            ChatMessage.User("hello"),
            new("assistant", "hi\n"),
            ChatMessage.User("é🙂"),
        ];
        Survive(
            ModelFiles.ChatTemplate,
            [.. templates.Select(Encoding.UTF8.GetBytes)],
            path => ChatTemplate.Of(Path.GetDirectoryName(path)!).Render(messages)
        );
    }

    [Fact]
    public void Gguf()
    {
        RandomFolder.Write(_folder["seed"], TinyDecoder.Config);
        BpeTrainer.Train(["to be or not to be"], 270, [], SplitPatterns.Gpt2).Write(_folder["t.json"]);
        using var tokenizer = JsonDocument.Parse(File.ReadAllText(_folder["t.json"]));
        var model = tokenizer.RootElement.GetProperty("model");
        var bytes = GgufOfFolder
            .Convert(_folder["seed"])
            .Set("tokenizer.ggml.model", "gpt2")
            .Set("tokenizer.ggml.pre", "gpt-2")
            .Set(
                "tokenizer.ggml.tokens",
                model.GetProperty("vocab").EnumerateObject().OrderBy(entry => entry.Value.GetInt32()).Select(entry => entry.Name).ToArray()
            )
            .Set("tokenizer.ggml.merges", new[] { "t o", "b e" })
            .Set("tokenizer.ggml.eos_token_id", 0u)
            .Set("tokenizer.chat_template", "{{ messages[0].content }}")
            .Bytes();
        Survive(
            "model.gguf",
            [bytes],
            path =>
            {
                using var scope = NewDisposeScope();
                Try(() => DecoderConfig.Load(path));
                Try(() => Tokenizer.Load(path).Encode("to be"));
                Try(() => ChatTemplate.Of(path).Render([ChatMessage.User("hello")]));
                Decoder.Load(path).Dispose();
            }
        );

        // One part of the file may be refused and the next be read.
        static void Try(Action read)
        {
            try
            {
                read();
            }
            catch (InputException) { }
        }
    }

    private void Survive(string name, byte[][] seeds, Action<string> read)
    {
        var path = _folder[name];
        foreach (var seed in seeds)
        {
            File.WriteAllBytes(path, seed);
            read(path); // sound as it is
        }
        for (var number = First; number < First + Cases; number++)
        {
            var random = new Random(number);
            var bytes = Mutations.Damaged(seeds[random.Next(seeds.Length)], random);
            File.WriteAllBytes(path, bytes);
            var before = GC.GetTotalMemory(forceFullCollection: false);
            var run = Task.Run(() => Record.Exception(() => read(path)));
            for (var clock = Stopwatch.StartNew(); !run.Wait(20, TestContext.Current.CancellationToken); )
            {
                Assert.True(clock.Elapsed < Most, $"{name}, case {number}: no end after {Most}");
                var more = GC.GetTotalMemory(forceFullCollection: false) - before;
                Assert.True(more < MostBytes, $"{name}, case {number}: {more} bytes for a file of {bytes.Length}");
            }
            var error = run.Result;
            Assert.True(error is null or InputException, $"{name}, case {number}: {error}");
            Assert.True(error is null || !error.Message.Contains('\n'), $"{name}, case {number}: more than a line: {error?.Message}");
        }
    }

    private static int Number(string variable, int fallback) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), out var number) ? number : fallback;
}
