package holdfast.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.w3c.dom.Document;
import org.w3c.dom.Element;

class ChartTest {
  private static Document parsed(String svg) throws Exception {
    return DocumentBuilderFactory.newInstance()
        .newDocumentBuilder()
        .parse(new ByteArrayInputStream(svg.getBytes(StandardCharsets.UTF_8)));
  }

  @Test
  void linesLieWhereTheirLogarithmsAre() throws Exception {
    Document svg =
        parsed(
            Chart.lines(
                "a < b & c",
                "x",
                "y",
                Map.of(
                    "one",
                    List.of(
                        new Chart.Point(1, 1),
                        new Chart.Point(10, 10),
                        new Chart.Point(100, 100)))));
    Element line = (Element) svg.getElementsByTagName("polyline").item(0);
    String[] numbers = line.getAttribute("points").split("[ ,]", -1);
    assertThat(numbers).hasSize(6);
    double[] x = new double[3];
    double[] y = new double[3];
    for (int i = 0; i < 3; i++) {
      x[i] = Double.parseDouble(numbers[2 * i]);
      y[i] = Double.parseDouble(numbers[2 * i + 1]);
    }
    assertThat(x[1] - x[0]).isEqualTo(x[2] - x[1]).isPositive();
    assertThat(y[1] - y[0]).isEqualTo(y[2] - y[1]).isNegative();
    assertThat(svg.getElementsByTagName("title").item(0).getTextContent()).isEqualTo("a < b & c");
  }

  @Test
  void barsAreAsHighAsTheirValues() throws Exception {
    Document svg =
        parsed(Chart.bars("t", "s", List.of("g", "h"), Map.of("one", List.of(2.0, 4.0))));
    double[] heights = new double[2];
    int found = 0;
    for (int i = 0; i < svg.getElementsByTagName("rect").getLength(); i++) {
      Element rect = (Element) svg.getElementsByTagName("rect").item(i);
      if (rect.getElementsByTagName("title").getLength() == 1) {
        heights[found++] = Double.parseDouble(rect.getAttribute("height"));
      }
    }
    assertThat(found).isEqualTo(2);
    assertThat(heights[1]).isEqualTo(2 * heights[0]).isPositive();
  }

  @Test
  void nothingIsDrawnWhereItCannotBe() {
    assertThatThrownBy(
            () -> Chart.lines("t", "x", "y", Map.of("one", List.of(new Chart.Point(0, 1)))))
        .hasMessageContaining("logarithmic");
  }
}
