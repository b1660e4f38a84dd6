import java.io.StringReader;
import java.util.List;
import java.util.ArrayList;
import java.util.Properties;
import java.util.Random;
import java.util.TreeMap;

/**
 * Writes what java.util.Properties reads from small texts, one JSON object a line: text, and entries by name or an error.
 * Run: java test/domain/kernel/data/PropertiesVectors.java > test/domain/kernel/data/properties-vectors.jsonl
 */
public class PropertiesVectors {
  static final String[] byHand = {
    "", "\n", "\r", "\r\n", " ", "\t\f \n", "a", "a=", "=", "=b", ":b", " = b", "a=b", "a:b", "a b", "a\tb", "a\fb", "a = b", "a : b", "a  b", "a =: b", "a := b",
    "a\\ b=c", "a\\=b=c", "a\\:b=c", "a\\\\=c", "a\\\\b=c", "a=b\\\\", "a=b\\", "a=\\", "\\", "\\\n", "\\\\", "\\\\\n", "a\\", "a\\\nb=c", "a=b\\\nc", "a=b\\\n   c", "a=b\\\r\nc",
    "a=b\\\rc", "a=b\\\n\nc=d", "a=b\\\n\\\nc", "a=b\\\n#c", "a=b\\\n!c\nd=e", "a=b\\\n  # c", "#a=b", "!a=b", "  #a=b", "\t!a=b", "#a\\\nb=c", "!a\\\nb=c", "# a \\\\\nb=c", "#\nb=c", "#\\",
    "#a\r\nb=c", "#a\rb=c", "a#b=c", "a!b=c", "a=#b", "a=!b", "a = b ", "a = b\t\f ", "a=b\\ ", "a=\\ b", "a=\\tb", "a=\\nb", "a=\\rb", "a=\\fb", "a=\\qb", "a=\\\"b\\'", "a=\\u0041",
    "\\u0061=b", "a=\\u00e4\\u20AC", "a=\\uD83D\\uDE00", "a=\\u004", "a=\\u", "a=\\u00zz", "a=\\u004 1", "a=\\U0041", "a=\\\\u0041", "a=\\u0041\\u", "\\u=b", "a\\u003db=c", "a\\u0020b=c",
    "a=b\na=c", "a=1\nb=2\na=3", "a=b\r\nc=d\re=f\ng=h", "a=b\n\n\nc=d", "\na=b", "\\\na=b", "\\\n\na=b", "\\\n#a=b", "\\\n  #a=b\nc=d", " \\\n a=b", "a\\\n=b", "a\\\n =b", "a \\\n b", "a=\\\n  b",
    "a=b\\\\\nc=d", "a=b\\\\\\\nc=d", "a=b\\\\\\\\\nc=d", "log.dirs = /a/\\\n  b", "listeners=PLAINTEXT://:9092", "listeners PLAINTEXT://:9092", "path=c:\\\\data\\\\x", "path=c:\\data\\x",
    "x=\u00e4\u00f6", "\u00e4=x", "x=\ud83d\ude00", "a=b\u000bc", "a\u00a0b=c", "\u00a0a=b", "a=b\u0085c=d", "a=b\u2028c=d", "\ufeffa=b", "a=b\0c", "a==b", "a::b", "a= =b", "a\\  b", "a\\\t=b",
    "#\\\r\nb=c", "a=b\\\r", "a=b\\\n", "a=b\\\n  ", "a=b\\\n  \nc=d", "a=b\\\n  \\\n c\nd=e", "  a  =  b  ", "a\n=b", "a\\\r\n\r\nb", "num.partitions: 6 # six",
  };

  static final String[] pieces = {
    "a", "b", "key", "value", ".", "1", " ", "  ", "\t", "\f", "\n", "\n", "\r", "\r\n", "\r\n", "\\", "\\", "\\\\", "=", "=", ":", "#", "!", "\\n", "\\t", "\\u0041", "\\u00e9", "\\u12", "\\:", "\\=", "\\ ", "\\#",
    "\\\n", "\\\n ", "\\\r\n\t", "\\\r", "\u00e9", "x=y\n", "# c\n", "! c\\\n", "\\q"
  };

  static String quoted(String text) {
    StringBuilder out = new StringBuilder("\"");
    for (char c : text.toCharArray()) {
      if (c == '"' || c == '\\') out.append('\\').append(c);
      else if (c < 0x20 || c > 0x7e) out.append(String.format("\\u%04x", (int) c));
      else out.append(c);
    }
    return out.append('"').toString();
  }

  static String vector(String text) throws Exception {
    Properties properties = new Properties();
    try {
      properties.load(new StringReader(text));
    } catch (IllegalArgumentException malformed) {
      return "{\"text\":" + quoted(text) + ",\"error\":" + quoted(malformed.getMessage()) + "}";
    }
    TreeMap<String, String> sorted = new TreeMap<>();
    for (String name : properties.stringPropertyNames()) sorted.put(name, properties.getProperty(name));
    List<String> entries = new ArrayList<>();
    sorted.forEach((name, value) -> entries.add(quoted(name) + ":" + quoted(value)));
    return "{\"text\":" + quoted(text) + ",\"entries\":{" + String.join(",", entries) + "}}";
  }

  public static void main(String[] args) throws Exception {
    for (String text : byHand) System.out.println(vector(text));
    Random random = new Random(8);
    for (int n = 0; n < 1200; n++) {
      StringBuilder text = new StringBuilder();
      for (int left = 1 + random.nextInt(14); left > 0; left--) text.append(pieces[random.nextInt(pieces.length)]);
      System.out.println(vector(text.toString()));
    }
  }
}
